/** Name of the registry's data source. */
export const REGISTRY = 'registry';
