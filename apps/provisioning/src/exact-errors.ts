import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ErrorShapes } from '#platform';
import { reasonShape } from './two-step/reason-shape.ts';
import { resultShape } from './uuid-request/result-codes.ts';

/** Where devices are told errors as their documents have them. */
@Injectable()
export class ExactErrors implements OnModuleInit {
  constructor(@Inject(ErrorShapes) private readonly shapes: ErrorShapes) {}

  onModuleInit(): void {
    for (const path of ['/provisioning/register', '/provisioning/activate']) this.shapes.set(path, reasonShape);
    for (const path of ['/auth/devices/request', '/mqtt']) this.shapes.set(path, resultShape);
  }
}
