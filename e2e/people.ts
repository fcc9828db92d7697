import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { House } from './house.ts';
import { read, Visitor } from './visitor.ts';

const Login = z.object({ token: z.string(), refreshToken: z.string() });
const WithId = z.object({ id: z.string() });
const Credential = z.object({ id: z.string(), accessToken: z.string() });

/** Somebody with an account. */
export interface Person {
  id: string;
  email: string;
  password: string;
  /** With the token of their login. */
  visitor: Visitor;
  token: string;
  refreshToken: string;
}

export interface Device {
  id: string;
  name: string;
  /** Access token. */
  token: string;
  credentialId: string;
}

export const newName = (what: string): string => `${what} ${randomUUID().slice(0, 8)}`;
export const newMac = (): string =>
  randomBytes(6)
    .toString('hex')
    .toUpperCase()
    .replace(/..(?=.)/g, '$&:');

export async function logIn(house: House, email: string, password: string): Promise<Omit<Person, 'id'>> {
  house.secrets.add(password);
  const answer = await new Visitor(house).post('/user/login', { email, password });
  const { token, refreshToken } = read(answer, Login);
  house.secrets.add(refreshToken);
  return { email, password, token, refreshToken, visitor: new Visitor(house, token) };
}

const administrators = new WeakMap<House, Promise<Visitor>>();

/** The administrator, logged in once. */
export function administrator(house: House): Promise<Visitor> {
  const known = administrators.get(house);
  if (known) return known;
  const login = logIn(house, house.admin.email, house.admin.password).then(({ visitor }) => visitor);
  administrators.set(house, login);
  return login;
}

/** Somebody who signed up and logged in. */
export async function newUser(house: House): Promise<Person> {
  const name = newName('user');
  const email = `${name.replace(' ', '-')}@people.example`;
  const password = `pass-${randomUUID()}`;
  house.secrets.add(password);
  const { id } = read(await new Visitor(house).post('/user/signup', { name, email, password }), WithId);
  return { id, ...(await logIn(house, email, password)) };
}

export async function newCustomer(house: House, fields: Record<string, unknown> = {}): Promise<string> {
  const admin = await administrator(house);
  const name = newName('customer');
  return read(await admin.post('/api/customers', { number: name, name, ...fields }), WithId).id;
}

/** Somebody whom the administrator gave a role at a customer, logged in afterwards. */
export async function newPerson(house: House, role: 'admin' | 'operator' | 'user', customer: string): Promise<Person> {
  const { id, email, password } = await newUser(house);
  const admin = await administrator(house);
  read(await admin.patch(`/api/users/${id}`, { role, customer }), WithId);
  return { id, ...(await logIn(house, email, password)) };
}

/** A device that `visitor` makes, with an access token. */
export async function newDevice(visitor: Visitor, fields: Record<string, unknown> = {}): Promise<Device> {
  const name = newName('device');
  const { id } = read(await visitor.post('/api/devices', { name, ...fields }), WithId);
  return { id, name, ...(await newCredential(visitor, id)) };
}

/** Another access token of a device. */
export async function newCredential(visitor: Visitor, deviceId: string): Promise<Omit<Device, 'id' | 'name'>> {
  const issued = await visitor.post(`/api/devices/${deviceId}/credentials`, {});
  const { id, accessToken: token } = read(issued, Credential);
  visitor.house.secrets.add(token);
  return { token, credentialId: id };
}
