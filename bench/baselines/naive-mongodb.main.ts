import mongoose from 'mongoose';
import { readingOf, serve } from './socket-server.ts';

/** The naive design on servers: one mongoose `save` for each socket.io event. */
const NaiveReading = mongoose.model(
  'NaiveReading',
  new mongoose.Schema({ sensor: String, value: Number, ts: Date }, { versionKey: false }),
);
await mongoose.connect(process.argv[2] ?? '');
serve((payload) => new NaiveReading(readingOf(payload)).save());
