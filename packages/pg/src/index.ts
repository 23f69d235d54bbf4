export { backstop } from './backstop';
export type { BackendCancel } from './events';
export { instrumentPg } from './instrument';
export type { PgModule } from './covering/module-shape';
export { connect, query } from './query';
export type {
  ClientOf,
  FieldDescription,
  PgClient,
  PgOptions,
  PgPool,
  QueryAnswer,
  QueryInput,
} from './types';
