import { serve } from './socket-server.ts';

/** What socket.io alone can do: acknowledges whatever comes. */
serve();
