import { SetMetadata } from '@nestjs/common';

/** Metadata key of {@link Public}. */
export const PUBLIC = 'fieldline:public';

/** Nobody needs a token for this route, or the route looks at its own kind of token. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC, true);
