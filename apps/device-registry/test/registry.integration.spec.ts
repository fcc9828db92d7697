import { describe } from '@jest/globals';
import { describeWith, freshMysqlDatabase, tempDir } from '#testing';
import { assetsSuite } from './assets.suite.ts';
import { auditSuite } from './audit.suite.ts';
import { childrenSuite } from './children.suite.ts';
import { claimsSuite } from './claims.suite.ts';
import { credentialsSuite } from './credentials.suite.ts';
import { customersSuite } from './customers.suite.ts';
import { devicesSuite } from './devices.suite.ts';
import { importsSuite } from './imports.suite.ts';
import { listsSuite } from './lists.suite.ts';
import { mqttCredentialsSuite } from './mqtt-credentials.suite.ts';
import { peopleSuite } from './people.suite.ts';
import { plansSuite } from './plans.suite.ts';
import { profilesSuite } from './profiles.suite.ts';
import { relationsSuite } from './relations.suite.ts';
import { requestsSuite } from './requests.suite.ts';
import { restartsSuite } from './restarts.suite.ts';
import { selfProvisioningSuite } from './self-provisioning.suite.ts';
import { twoStepSuite } from './two-step.suite.ts';
import { uuidDevicesSuite } from './uuid-devices.suite.ts';
import { searchSuite } from './search.suite.ts';
import { zeroTouchSuite } from './zero-touch.suite.ts';

type Database = () => Promise<string>;

function suites(database: Database): void {
  describe('customers', () => {
    customersSuite(database);
  });
  describe('devices', () => {
    devicesSuite(database);
  });
  describe('lists of devices', () => {
    listsSuite(database);
  });
  describe('a search for devices', () => {
    searchSuite(database);
  });
  describe('a list of very many', () => {
    plansSuite(database);
  });
  describe('profiles', () => {
    profilesSuite(database);
  });
  describe('assets', () => {
    assetsSuite(database);
  });
  describe('relations', () => {
    relationsSuite(database);
  });
  describe('people and their devices', () => {
    peopleSuite(database);
  });
  describe('the audit trail', () => {
    auditSuite(database);
  });
  describe('credentials', () => {
    credentialsSuite(database);
  });
  describe('credentials of MQTT and certificates', () => {
    mqttCredentialsSuite(database);
  });
  describe('devices behind gateways', () => {
    childrenSuite(database);
  });
  describe('requests of other services', () => {
    requestsSuite(database);
  });
  describe('imports', () => {
    importsSuite(database);
  });
  describe('devices that find their place by themselves', () => {
    zeroTouchSuite(database);
  });
  describe('claims', () => {
    claimsSuite(database);
  });
  describe('devices that provision themselves by name', () => {
    selfProvisioningSuite(database);
  });
  describe('two steps', () => {
    twoStepSuite(database);
  });
  describe('devices by uuid', () => {
    uuidDevicesSuite(database);
  });
  describe('a restart', () => {
    restartsSuite(database);
  });
}

describe('the registry on SQLite', () => {
  suites(async () => `file:${(await tempDir()).path}/registry.db`);
});

describeWith(['mysql'], 'the registry on MySQL', () => {
  suites(async () => (await freshMysqlDatabase()).url);
});
