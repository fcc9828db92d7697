import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit, type OnApplicationShutdown } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, type Repository } from 'typeorm';
import { CodedError, Jwk, type Jwks } from '#contracts';
import { CLOCK, LOGGER, uuid7, type Clock, type Log } from '#platform';
import { isUniqueViolation } from '#sql';
import { accessTokenMs, AUTH_CONFIG, keyRotationMs, type AuthConfig } from '../config.ts';
import { nextSignsFrom, retiredKeys, signerOf, type KeyRules } from './key-policy.ts';
import { KeyVault } from './key-vault.ts';
import { SigningKey } from './signing-key.entity.ts';

/** How often the keys are looked through, in ms: what is due is made, what is retired goes. */
const TURN_MS = 60_000;

/** A key, ready to sign. */
export interface Signer {
  id: string;
  privateKey: KeyObject;
  signsFrom: number;
}

/** The signing keys: one set in the database for all replicas, each of which may make the next one. */
@Injectable()
export class KeyRing implements OnModuleInit, OnApplicationShutdown {
  private keys: Signer[] = [];
  private readonly vault: KeyVault;
  private readonly rules: KeyRules;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @InjectRepository(SigningKey, 'auth') private readonly rows: Repository<SigningKey>,
    @Inject(AUTH_CONFIG) config: AuthConfig,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {
    this.vault = new KeyVault(config.SECRET_KEY);
    this.rules = { rotationMs: keyRotationMs(config), tokenMs: accessTokenMs(config) };
  }

  async onModuleInit(): Promise<void> {
    await this.turn();
    this.timer = setInterval(() => {
      this.turn().catch((error: unknown) => {
        this.log.warn({ err: error }, 'the signing keys could not be looked through; trying again in a minute');
      });
    }, TURN_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** The key that signs now. */
  signer(): Signer {
    const signer = signerOf(this.keys, this.now());
    if (!signer)
      throw new CodedError('UNAVAILABLE', 'There is no signing key yet; try again.', { retryAfterMs: 1_000 });
    return signer;
  }

  /** Every key whose tokens may be within their time, and the next one (RFC 7517). */
  jwks(): Jwks {
    return { keys: this.keys.map(publicJwk) };
  }

  /** Deletes retired keys, makes the next one if it is due, and takes over what the database has then. */
  async turn(): Promise<void> {
    const keys = await this.load();
    const retired = retiredKeys(keys, this.rules, this.now());
    if (retired.length > 0) await this.rows.delete({ id: In(retired.map(({ id }) => id)) });
    const left = keys.filter((key) => !retired.includes(key));
    const signsFrom = nextSignsFrom(left, this.rules, this.now());
    if (signsFrom !== undefined) await this.make((left.at(-1)?.generation ?? 0) + 1, signsFrom);
    this.keys = signsFrom === undefined ? left : await this.load();
  }

  private async load(): Promise<(Signer & { generation: number })[]> {
    const rows = await this.rows.find({ order: { generation: 'ASC' } });
    return rows.map(({ id, generation, privateKey, signsFrom }) => ({
      id,
      generation,
      privateKey: this.keys.find((key) => key.id === id)?.privateKey ?? this.vault.open(id, privateKey),
      signsFrom: signsFrom.getTime(),
    }));
  }

  /** Another replica may have been first: then its key is as good. */
  private async make(generation: number, signsFrom: number): Promise<void> {
    const id = uuid7(this.now());
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    try {
      await this.rows.insert({
        id,
        generation,
        privateKey: this.vault.seal(id, privateKey),
        signsFrom: new Date(signsFrom),
      });
      this.log.info({ kid: id, signsFrom: new Date(signsFrom) }, 'made a signing key');
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
    }
  }
}

const publicJwk = ({ id, privateKey }: Signer): Jwks['keys'][number] =>
  Jwk.parse({ ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'ES256' });
