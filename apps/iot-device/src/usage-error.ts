/** The command cannot be carried out; the message is one line that says why and what to do. */
export class UsageError extends Error {}
