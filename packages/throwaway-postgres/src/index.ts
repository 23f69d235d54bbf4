export { installedFolder, usableBinaries, type Binaries, type RunAs } from './binaries';
export { startPostgres, type Postgres, type PostgresOptions } from './postgres';
