import { z } from 'zod';
import { ConfigError, SecretKey } from '#platform';
import { Email } from './users/person.ts';
import { NewPassword } from './passwords/password.ts';

/** Variables of the auth service. The descriptions are the configuration table of the documents. */
export const AuthConfig = z.object({
  DATABASE_URL: z
    .string({ error: 'is needed: mysql://user:password@host:3306/database, or file:path for SQLite' })
    .regex(/^(?:mysql:\/\/|file:)./, 'must begin with mysql:// or file:')
    .describe('Where users are stored: mysql://user:password@host:3306/database, or file:path for SQLite'),
  SECRET_KEY: SecretKey.describe(
    'Encrypts the signing keys in the database; the same for all replicas, and kept: with another one the service does not start',
  ),
  SIGNUP: z.enum(['open', 'closed']).default('open').describe('Whether people may sign up by themselves'),
  ACCESS_TOKEN_SECONDS: z.coerce
    .number()
    .int()
    .min(10)
    .max(86_400)
    .default(900)
    .describe('How long an access token is valid, in seconds'),
  REFRESH_TOKEN_DAYS: z.coerce
    .number()
    .positive()
    .max(3_650)
    .default(30)
    .describe('How long a login lasts without being used, in days'),
  KEY_ROTATION_DAYS: z.coerce
    .number()
    .positive()
    .max(3_650)
    .default(30)
    .describe('How long a key signs access tokens before the next one does, in days'),
  LOGIN_ATTEMPTS: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(10)
    .describe(
      'Wrong passwords for one account within 15 minutes before logins wait; ten times as many from one address',
    ),
  SIGNUP_ATTEMPTS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(200)
    .describe('Sign-ups from one address within 15 minutes'),
  ADMIN_EMAIL: Email.optional().describe('Email of the first administrator; made at start if nobody has it'),
  ADMIN_PASSWORD: NewPassword.optional().describe('Password of the first administrator; a later change of it stays'),
  FIRST_ADMIN: z
    .enum(['none', 'generate'])
    .default('none')
    .describe(
      'generate: without ADMIN_EMAIL and while there is no administrator, one is made with a password of its own',
    ),
});
export type AuthConfig = z.output<typeof AuthConfig>;

/** Injection symbol of the {@link AuthConfig}. */
export const AUTH_CONFIG = Symbol('AUTH_CONFIG');

/** The configured first administrator. Throws {@link ConfigError} if half of it is missing. */
export function configuredAdministrator(config: AuthConfig): { email: string; password: string } | undefined {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = config;
  if (email !== undefined && password !== undefined) return { email, password };
  if (email !== undefined) throw new ConfigError(['ADMIN_PASSWORD: is needed with ADMIN_EMAIL']);
  if (password !== undefined) throw new ConfigError(['ADMIN_EMAIL: is needed with ADMIN_PASSWORD']);
  return undefined;
}

export const accessTokenMs = (config: AuthConfig): number => config.ACCESS_TOKEN_SECONDS * 1000;

const DAY_MS = 86_400_000;
export const refreshTokenMs = (config: AuthConfig): number => Math.round(config.REFRESH_TOKEN_DAYS * DAY_MS);
export const keyRotationMs = (config: AuthConfig): number => Math.round(config.KEY_ROTATION_DAYS * DAY_MS);
