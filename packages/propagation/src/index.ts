export { allowedHosts } from './allowed-hosts';
export { DeadlinePropagator, type DeadlinePropagatorOptions, type Plant } from './deadline-propagator';
export { isNearDeadline } from './near-deadline';
export {
  cancellationArrived,
  deadlineReceived,
  RESPONSE_KEY,
  type ArrivedCancellation,
  type DisconnectCause,
  type ReceivedDeadline,
  type ServedHead,
} from './events';
export {
  deadlineReader,
  receivedDeadline,
  tellReceived,
  withReceivedDeadline,
  type InboundDeadline,
  type ReadDeadline,
  type ReceiveOptions,
} from './received';
export {
  formatTimeoutMs,
  parseConnectTimeout,
  parseGrpcTimeout,
  parseTimeoutMs,
  TIMEOUT_HEADER,
} from './timeout';
