import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { enter } from '../../test/enter.ts';
import { FakeWays, type Given, failure, problem } from '../../test/fake-ways.ts';
import { WatchedMemory } from '../../test/watched-memory.ts';
import { isFinal } from '../refusal.ts';
import { MemoryMemory } from './memory.ts';
import { twoStep } from './two-step.ts';

const MAC = '44:8a:5b:9c:70:93';
const CREATED = (password: string): Given => ({ status: 201, body: { password } });
const OK: Given = { status: 200 };
const REFUSED = (error: string): Given => ({ status: 403, body: { error } });

describe('provisioning in two steps', () => {
  let platform: FakeWays;

  beforeEach(async () => {
    platform = await new FakeWays().start();
  });
  afterEach(() => platform.stop());

  const create = (memory = new MemoryMemory()) =>
    twoStep({ url: platform.url, customer: 'abc123', macAddress: MAC, memory });
  const registration = { customer_id: 'abc123', mac_address: MAC };

  it('registers, keeps the password, activates it, and keeps that', async () => {
    const order: string[] = [];
    const memory = new WatchedMemory((document) => order.push(`kept ${JSON.stringify(document)}`));
    platform.answer = ({ path, body }) => {
      order.push(`${path} ${JSON.stringify(body)}`);
      return path.endsWith('register') ? CREATED('secret') : OK;
    };
    expect(await create(memory).enter()).toEqual({ userName: `abc123/${MAC}`, password: 'secret' });
    const kept = { way: 'two-step', customer: 'abc123', macAddress: MAC, password: 'secret' };
    expect(order).toEqual([
      `/provisioning/register ${JSON.stringify(registration)}`,
      `kept ${JSON.stringify({ ...kept, activated: false })}`,
      `/provisioning/activate ${JSON.stringify({ ...registration, password: 'secret' })}`,
      `kept ${JSON.stringify({ ...kept, activated: true })}`,
    ]);
    expect(await create(memory).enter()).toMatchObject({ password: 'secret' });
    expect(platform.asked).toHaveLength(2);
  });

  it.each([0, 1])('comes in when the reply to request %i is lost', async (lost) => {
    const platformState = { password: '', activated: '' };
    platform.answer = ({ path, body }, index) => {
      if (path.endsWith('register')) platformState.password = `secret ${index}`;
      else if (JSON.stringify(body).includes(platformState.password)) platformState.activated = platformState.password;
      if (index === lost) return 'lost';
      return path.endsWith('register') ? CREATED(platformState.password) : OK;
    };
    const credentials = await enter(create());
    expect(credentials).toEqual({ userName: `abc123/${MAC}`, password: platformState.activated });
    expect(platform.asked).toHaveLength(3);
  });

  it('activates a saved password before it asks for another', async () => {
    const memory = new MemoryMemory();
    platform.inTurn(CREATED('secret'), 'lost');
    expect(isFinal(await failure(create(memory).enter()))).toBe(false);
    platform.inTurn(OK);
    expect(await create(memory).enter()).toMatchObject({ password: 'secret' });
    expect(platform.lines.slice(2)).toEqual(['POST /provisioning/activate']);
  });

  it('registers again when the saved password is void', async () => {
    const memory = new MemoryMemory();
    platform.inTurn(CREATED('old'), 'lost', REFUSED('That password is void.'), CREATED('new'), OK);
    await failure(create(memory).enter());
    expect(await create(memory).enter()).toMatchObject({ password: 'new' });
  });

  it('keeps the saved password while the platform fails', async () => {
    const memory = new MemoryMemory();
    platform.inTurn(CREATED('secret'), { status: 503 });
    await failure(create(memory).enter());
    await failure(create(memory).enter());
    expect(platform.lines).toEqual([
      'POST /provisioning/register',
      'POST /provisioning/activate',
      'POST /provisioning/activate',
    ]);
  });

  it('names the way out when it is activated and has no password', async () => {
    platform.inTurn(REFUSED('The device is already activated.'));
    const error = await failure(create().enter());
    expect(error).toMatchObject({ code: 'ALREADY_ACTIVATED' });
    expect(isFinal(error)).toBe(true);
    expect(error.message).toBe(
      'The device is already activated. No password of its that works is kept here: have the device reset (POST /api/devices/:id/reset) to register it again.',
    );
  });

  it('keeps a password that is refused until the platform gives another', async () => {
    const memory = new MemoryMemory();
    platform.inTurn(CREATED('secret'), OK, REFUSED('Already activated: it needs a reset.'), CREATED('new'), OK);
    const refused = await create(memory).enter();
    const error = await failure(create(memory).enter(refused));
    expect(error.message).toBe('Already activated: it needs a reset.');
    expect(await create(memory).enter()).toEqual(refused);
    expect(await create(memory).enter(refused)).toMatchObject({ password: 'new' });
  });

  it.each([
    ['There is no customer abc123.', REFUSED('There is no customer abc123.'), true],
    ['The limit of 10 devices is reached.', REFUSED('The limit of 10 devices is reached.'), true],
    ['Too many.', { status: 429, body: { error: 'Too many.' }, headers: { 'retry-after': '7' } } as const, false],
    ['It failed.', { status: 500, body: { error: 'It failed.' } } as const, false],
    ['/mac_address: bad.', problem(422, 'INVALID_INPUT', '/mac_address: bad.'), true],
  ])('says %j as the platform did', async (message, given, final) => {
    platform.inTurn(given);
    const error = await failure(create().enter());
    expect([error.message, isFinal(error)]).toEqual([message, final]);
  });
});
