/** Name of provisioning's data source. */
export const PROVISIONING = 'provisioning';
