export * from './access.module.ts';
export * from './authenticator.ts';
export * from './claims.ts';
export * from './device-credentials.ts';
export * from './people.guard.ts';
export * from './presented-credentials.ts';
export * from './revocations.ts';
export * from './token-verifier.ts';
