import { randomUUID } from 'node:crypto';
import { defaultResource, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import type { Configuration } from '../settings/options';
import { VERSION } from '../version';

/**
 * Who is speaking. Of the process only what tells one replica from another is said: OpenTelemetry's own detector
 * would add the command line, where secrets stand.
 */
export function createResource({ serviceName, resourceAttributes }: Configuration): Resource {
  const own = resourceFromAttributes({
    'service.instance.id': randomUUID(),
    'process.pid': process.pid,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
    'telemetry.distro.name': '@curfew/node',
    'telemetry.distro.version': VERSION,
  });
  const given = resourceFromAttributes(resourceAttributes);
  const named = resourceFromAttributes(serviceName === undefined ? {} : { 'service.name': serviceName });
  return defaultResource().merge(own).merge(given).merge(named);
}
