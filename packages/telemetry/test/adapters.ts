// What an adapter would bring: telemetry knows it by name and shape alone.
import type { Context } from '@opentelemetry/api';
import { adapterEvent } from '@curfew/context/spi';

export const deadlineReceived = adapterEvent<{
  source: string;
  outcome: string;
  remaining?: number | undefined;
}>('deadline.received');

export const cancellationArrived = adapterEvent<{ boundary: string; reason: string; duration: number }>(
  'cancellation.arrived',
);

export const backendCancel = adapterEvent<{
  system: string;
  outcome: string;
  duration: number;
  ctx?: Context;
}>('backend.cancel');
