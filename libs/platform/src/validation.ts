import { StandardSchemaValidationPipe } from '@nestjs/common';
import { CodedError, type ErrorIssue } from '#contracts';

interface Issue {
  message: string;
  path?: readonly PathPart[] | undefined;
  /** Zod reports all unknown fields of an object as one issue of the object. */
  code?: string;
  keys?: readonly string[];
}

type PathPart = PropertyKey | { key: PropertyKey };

/** The issues of a schema as ours, with JSON pointers (RFC 6901) as paths. */
export const issuesOf = (issues: readonly Issue[]): ErrorIssue[] =>
  issues.flatMap(({ path = [], message, code, keys }) =>
    code === 'unrecognized_keys' && keys
      ? keys.map((key) => ({ path: pointer([...path, key]), message: 'there is no such field' }))
      : [{ path: pointer(path), message }],
  );

const pointer = (path: readonly PathPart[]): string => path.map(pointerPart).join('');

const pointerPart = (part: PathPart): string =>
  '/' +
  String(typeof part === 'object' ? part.key : part)
    .replaceAll('~', '~0')
    .replaceAll('/', '~1');

/** Validates everything that has a `schema` in its parameter decorator; answers 422 with every offending path. */
export const validationPipe = (): StandardSchemaValidationPipe =>
  new StandardSchemaValidationPipe({
    exceptionFactory: (issues) => {
      const errors = issuesOf(issues);
      const first = errors[0];
      const where = first?.path ? `${first.path}: ` : '';
      return new CodedError('INVALID_INPUT', `${where}${first?.message ?? 'not valid'}`, { errors });
    },
  });
