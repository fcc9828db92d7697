import { z } from 'zod';
import type { House } from '../../e2e/house.ts';

const Login = z.object({ token: z.string() });

/** Calls of the house's administrator; throws for any answer but a 2xx. */
export class Administrator {
  private constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async of(house: House): Promise<Administrator> {
    const response = await fetch(`${house.url}/user/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(house.admin),
    });
    return new Administrator(house.url, Login.parse(await response.json()).token);
  }

  get<T>(path: string, reply: z.ZodType<T>): Promise<T> {
    return this.send(path, reply, {});
  }

  post<T>(path: string, reply: z.ZodType<T>, body: string, type = 'application/json'): Promise<T> {
    return this.send(path, reply, { method: 'POST', body, headers: { 'content-type': type } });
  }

  private async send<T>(path: string, reply: z.ZodType<T>, init: RequestInit): Promise<T> {
    const headers = { ...init.headers, authorization: `Bearer ${this.token}` };
    const response = await fetch(`${this.url}${path}`, { ...init, headers });
    if (!response.ok) throw new Error(`${path} answered ${String(response.status)}: ${await response.text()}`);
    return reply.parse(await response.json());
  }
}
