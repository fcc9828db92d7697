import { CodedError } from '#contracts';

/** `INVALID_INPUT` for one place of an input, named by its JSON pointer. */
export const invalidInput = (path: string, message: string): CodedError =>
  new CodedError('INVALID_INPUT', `${path}: ${message}.`, { errors: [{ path, message }] });
