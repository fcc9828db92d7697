import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { orUnavailable } from './errors.ts';

/** For controllers: while the database is away they answer `UNAVAILABLE`, with the time to try again. */
@Injectable()
export class DatabaseAway implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    return from(orUnavailable(() => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }
}
