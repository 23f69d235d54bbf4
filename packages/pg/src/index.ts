export { backstop } from './backstop';
export { instrumentPg, type PgModule } from './instrument';
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
