import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import type { Logger } from 'pino';
import { DocsController } from './docs.controller.ts';
import { ErrorShapes } from './error-shapes.ts';
import { Health, HealthController } from './health.ts';
import { MediaTypeGuard } from './media-types.ts';
import { Metrics, MetricsController } from './metrics.ts';
import { ProblemFilter } from './problem.filter.ts';
import { validationPipe } from './validation.ts';

/** Injection symbol of the process's pino logger. */
export const LOGGER = Symbol('LOGGER');

/** What every process has once: logger, health, metrics, problem documents, validation, the API's page. */
@Global()
@Module({})
export class PlatformModule {
  static forRoot(logger: Logger): DynamicModule {
    return {
      module: PlatformModule,
      controllers: [HealthController, MetricsController, DocsController],
      providers: [
        Health,
        Metrics,
        ErrorShapes,
        { provide: LOGGER, useValue: logger },
        {
          provide: APP_FILTER,
          inject: [ErrorShapes],
          useFactory: (shapes: ErrorShapes) => new ProblemFilter(logger, shapes),
        },
        { provide: APP_GUARD, useClass: MediaTypeGuard },
        { provide: APP_PIPE, useFactory: validationPipe },
      ],
      exports: [Health, Metrics, ErrorShapes, LOGGER],
    };
  }
}
