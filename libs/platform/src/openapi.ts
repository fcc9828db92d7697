import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

type JsonSchema = Record<string, unknown>;

/** Makes the OpenAPI document of every route of the application from its zod schemas. */
export function openApiOf(app: INestApplication, version: string): OpenAPIObject {
  const description = new DocumentBuilder()
    .setTitle('Fieldline')
    .setDescription('Readings in, readings out, people and devices. Errors are problem documents (RFC 9457).')
    .setVersion(version)
    .addBearerAuth()
    .addBasicAuth()
    .build();
  return SwaggerModule.createDocument(app, description, {
    standardSchemaConverter: convert,
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
}

/**
 * JSON schema of a zod schema, and of the named ones inside it. A named schema whose input form differs from its output form
 * is called `NameInput` where it describes a request.
 */
function convert(
  schema: unknown,
  { schemaType }: { schemaType: 'input' | 'output' },
): { schema: unknown; components: Record<string, JsonSchema> } | undefined {
  if (!(schema instanceof z.ZodType)) return undefined;
  const { definitions, root } = toJsonSchema(schema, schemaType);
  if (schemaType === 'output') return { schema: root, components: definitions };
  const outputs = toJsonSchema(schema, 'output').definitions;
  const renamed = new Set(
    Object.keys(definitions).filter((name) => JSON.stringify(definitions[name]) !== JSON.stringify(outputs[name])),
  );
  return {
    schema: renameRefs(root, renamed),
    components: Object.fromEntries(
      Object.entries(definitions).map(([name, definition]) => [
        renamed.has(name) ? `${name}Input` : name,
        renameRefs(definition, renamed) as JsonSchema,
      ]),
    ),
  };
}

function toJsonSchema(
  schema: z.ZodType,
  io: 'input' | 'output',
): { definitions: Record<string, JsonSchema>; root: JsonSchema } {
  const {
    $schema: _,
    definitions = {},
    ...root
  } = z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' });
  return { definitions: definitions as Record<string, JsonSchema>, root };
}

function renameRefs(value: unknown, renamed: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => renameRefs(item, renamed));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string' && renamed.has(item.slice(item.lastIndexOf('/') + 1))
        ? `${item}Input`
        : renameRefs(item, renamed),
    ]),
  );
}
