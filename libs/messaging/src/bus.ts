/** Injection symbol of the {@link Bus}. */
export const BUS = Symbol('BUS');

/** Stops a subscription. */
export type Unsubscribe = () => void;

/**
 * Publish and subscribe between replicas, at most once: whoever is subscribed and reachable hears it. Subjects are NATS
 * subjects, payloads are text. Two adapters: NATS and in process; one contract suite runs against both.
 */
export interface Bus {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** False while messages would reach nobody outside this process. */
  readonly connected: boolean;
  /** May anybody hear what is published on this subject? Saves writing what nobody would. */
  reaches(subject: string): boolean;
  /** Never throws; what is published while not connected is lost. */
  publish(subject: string, payload: string): void;
  /** Every subscriber hears every message. What `hear` throws is its own problem and is logged. */
  subscribe(pattern: string, hear: (payload: string, subject: string) => void): Unsubscribe;
  /** Calls back after a lost connection is there again: messages may have been missed. */
  onReconnect(again: () => void): void;
}
