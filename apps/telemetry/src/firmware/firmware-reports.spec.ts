import { describe, expect, test } from '@jest/globals';
import { errorText, reportsIn, statesBefore, stepOf, type FirmwareReport } from './firmware-reports.ts';

const assigned = { title: 'Boiler', version: '2' };
const said = (values: Record<string, unknown>): FirmwareReport => {
  const [report] = reportsIn(values);
  if (!report) throw new Error('nothing was said');
  return report;
};

describe('what telemetry says of firmware', () => {
  test.each<[Record<string, unknown>, ReturnType<typeof stepOf>]>([
    [
      { fw_state: 'DOWNLOADING', current_fw_title: 'Boiler', current_fw_version: '1' },
      { state: 'downloading', error: null },
    ],
    [{ fw_state: 'downloaded' }, { state: 'downloaded', error: null }],
    [
      { fw_state: 'FAILED', fw_error: 'no space' },
      { state: 'failed', error: 'no space' },
    ],
    [
      { fw_state: 'FAILED', current_fw_title: 'Boiler', current_fw_version: '2' },
      { state: 'failed', error: null },
    ],
    [{ fw_state: 'UPDATED' }, { state: 'updated', error: null }],
    [{ fw_state: 'UPDATED', current_fw_title: 'Boiler', current_fw_version: '1' }, undefined],
    [{ current_fw_title: 'Boiler', current_fw_version: '1' }, undefined],
    [
      { current_fw_title: 'Boiler', current_fw_version: '2' },
      { state: 'updated', error: null },
    ],
    [
      { current_fw_title: 'Boiler', current_fw_version: 2, fw_state: 'IDLE' },
      { state: 'updated', error: null },
    ],
  ])('%j means %j', (values, step) => {
    expect(stepOf(said(values), assigned)).toEqual(step);
  });

  test.each<[Record<string, unknown>]>([
    [{}],
    [{ fw_state: 'IDLE' }],
    [{ fw_state: 7, fw_error: 'x' }],
    [{ fw_state: 'toString' }],
    [{ current_fw_title: 'Boiler' }],
    [{ current_fw_title: 'Boiler', current_fw_version: {} }],
  ])('nothing is %j', (values) => {
    expect(reportsIn(values)).toEqual([]);
  });

  test('is told from what it says of software', () => {
    const kinds = reportsIn({ fw_state: 'UPDATING', sw_state: 'FAILED', sw_error: 'x', fw_error: '' });
    expect(kinds).toEqual([
      { kind: 'firmware', state: 'updating', error: null, current: undefined },
      { kind: 'software', state: 'failed', error: 'x', current: undefined },
    ]);
  });

  test('keeps errors that any database takes', () => {
    expect(errorText('e'.repeat(2_000))).toHaveLength(1_024);
    expect(errorText(`${'e'.repeat(1_023)}\u{1F600}`)?.isWellFormed()).toBe(true);
    expect(errorText('\ud800')).toBe('\ufffd');
    expect(errorText({})).toBeNull();
  });
});

describe('an update', () => {
  test('goes only forward; what failed may begin again or have worked; what is updated stays so', () => {
    expect(statesBefore('initiated')).toEqual(['queued']);
    expect(statesBefore('downloading')).toEqual(['queued', 'initiated', 'failed']);
    expect(statesBefore('updating')).not.toContain('failed');
    expect(statesBefore('failed')).toEqual([
      'queued',
      'initiated',
      'downloading',
      'downloaded',
      'verified',
      'updating',
    ]);
    expect(statesBefore('updated')).toContain('failed');
    expect(statesBefore('updated')).not.toContain('updated');
  });
});
