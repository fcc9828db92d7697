import { NestFactory } from '@nestjs/core';
import type { INestApplication, Type, DynamicModule } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import { LIMITS } from '#contracts';
import { ConfigError, type ServiceConfig } from './config.ts';
import { Health } from './health.ts';
import { NestLogger } from './logging.ts';
import { isJson, isStreamed, unsupportedMediaType } from './media-types.ts';
import { requestLog } from './request-log.ts';

/** How long a stop may take before the process ends anyway, in ms. */
const STOP_DEADLINE_MS = 10_000;
/** How long a request may take to come in, in ms: files are of any size, and lines slow. */
const REQUEST_TIMEOUT_MS = 3_600_000;

export interface ServiceOptions {
  name: string;
  module: Type | DynamicModule;
  config: ServiceConfig;
  logger: Logger;
  /** How requests from other services come in; it is asked once the application is there. */
  rpc: (app: INestApplication) => MicroserviceOptions;
}

/** Builds a service: everything is wired, nothing listens yet. */
export async function createService({ module, config, logger, rpc }: ServiceOptions): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: new NestLogger(logger),
    abortOnError: false,
    bodyParser: false,
  });
  app.set('trust proxy', config.TRUST_PROXY);
  app.disable('x-powered-by');
  app.use(requestLog(logger));
  app.use(requireJson);
  app.useBodyParser('json', { limit: LIMITS.bodyBytes, type: isJson, strict: false });
  app.getHttpServer().requestTimeout = REQUEST_TIMEOUT_MS;
  app.useWebSocketAdapter(new IoAdapter(app));
  app.connectMicroservice<MicroserviceOptions>(rpc(app), { inheritAppConfig: true });
  return app;
}

/** Starts a service and keeps it until SIGTERM or SIGINT. Resolves once it listens. */
export async function runService(options: ServiceOptions): Promise<NestExpressApplication> {
  const { config, logger, name } = options;
  try {
    const app = await createService(options);
    stopOnSignals(app, logger);
    await app.startAllMicroservices();
    await app.listen(config.PORT, config.HOST);
    logger.info(`${name} listens on ${await app.getUrl()}`);
    return app;
  } catch (error) {
    if (error instanceof ConfigError) exitWithConfig(error);
    exitWith(startProblem(error, config), logger);
  }
}

/** Reads a configuration, or says what is wrong with it and ends the process. */
export function configOrExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    exitWithConfig(error);
  }
}

function exitWithConfig({ problems }: ConfigError): never {
  for (const problem of problems) process.stderr.write(`configuration: ${problem}\n`);
  process.exit(2);
}

/** What to tell somebody whose service does not start; undefined when only the error itself can say it. */
export function startProblem(error: unknown, config: { HOST: string; PORT: number }): string | Error {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const where = `${config.HOST}:${String(config.PORT)}`;
  if (syscall === 'listen' && code === 'EADDRINUSE')
    return `port ${String(config.PORT)} is taken: choose another one with PORT or --port`;
  if (syscall === 'listen' && code === 'EACCES') return `not allowed to listen on ${where}: choose a port above 1023`;
  return error instanceof Error ? error : new Error(String(error));
}

function exitWith(problem: string | Error, logger: Logger): never {
  if (typeof problem === 'string') process.stderr.write(`${problem}\n`);
  else logger.fatal({ err: problem }, 'cannot start');
  logger.flush();
  process.exit(1);
}

/**
 * SIGTERM and SIGINT: say that we are not ready, finish what is in flight, close. A second signal, or the deadline, ends the
 * process at once; nothing acknowledged depends on a clean end.
 */
function stopOnSignals(app: NestExpressApplication, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info(`${signal}: finishing what is in flight`);
    app.get(Health).stop();
    setTimeout(() => {
      logger.warn(`not closed within ${String(STOP_DEADLINE_MS)} ms, ending anyway`);
      process.exit(1);
    }, STOP_DEADLINE_MS).unref();
    app.close().then(
      () => {
        logger.info('closed');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'closing failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/**
 * A body that is not JSON is refused by its media type instead of being taken for an empty one; streamed ones are for the route to
 * read, see MediaTypeGuard.
 */
function requireJson(request: Request, _response: Response, next: NextFunction): void {
  const length = request.headers['content-length'];
  const hasBody = request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  const isTaken = !hasBody || isJson(request) || isStreamed(request);
  next(isTaken ? undefined : unsupportedMediaType(request, ['application/json']));
}
