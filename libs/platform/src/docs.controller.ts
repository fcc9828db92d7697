import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { Controller, Get, Header, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { CodedError } from '#contracts';
import { Public } from './public.decorator.ts';

const PAGE_FOLDER = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const PAGE_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js'];

const PAGE = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Fieldline API</title>
  <link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
  <div id="api"></div>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
`;

const START = `const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
SwaggerUIBundle({ url: 'docs/openapi.json', dom_id: '#api', deepLinking: true, persistAuthorization: false });
`;

/** The API of the whole house: `docs/openapi.json` is made by `npm run openapi` and is the same on every service. */
@ApiExcludeController()
@Public()
@Controller('docs')
export class DocsController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return PAGE;
  }

  @Get('openapi.json')
  @Header('Content-Type', 'application/json')
  openApi(): Promise<string> {
    return readFile(resolve('docs/openapi.json'), 'utf8');
  }

  @Get('start.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  start(): string {
    return START;
  }

  @Get(':file')
  file(@Param('file') file: string, @Res() response: Response): void {
    if (!PAGE_FILES.includes(file)) throw new CodedError('NOT_FOUND', `There is no /docs/${file}.`);
    response.sendFile(join(PAGE_FOLDER, file), { maxAge: 3_600_000 });
  }
}
