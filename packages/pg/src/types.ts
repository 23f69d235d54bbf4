/** What `query` takes beside a string: pg's `QueryConfig`. */
export interface QueryInput {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string;
  readonly rowMode?: 'array';
  readonly [option: string]: unknown;
}

/** What a query answers: pg's `QueryResult`, told by its shape so that these declarations need no other package. */
export interface QueryAnswer<Row> {
  readonly command: string;
  readonly rowCount: number | null;
  readonly oid: number;
  readonly fields: FieldDescription[];
  readonly rows: Row[];
}

/** A column of an answer: pg's `FieldDef`. */
export interface FieldDescription {
  name: string;
  tableID: number;
  columnID: number;
  dataTypeID: number;
  dataTypeSize: number;
  dataTypeModifier: number;
  format: string;
}

/** A `Client` or a pool's client of pg, told by its shape. */
export interface PgClient {
  query(...args: never[]): unknown;
  readonly host: string;
  readonly port: number;
}

/** A `Pool` of pg, told by its shape. */
export interface PgPool {
  connect(): Promise<unknown>;
  readonly totalCount: number;
}

/** The client that a pool hands out. Its `connect` also has a form with a callback, which comes second. */
export type ClientOf<Pool extends PgPool> = Pool['connect'] extends {
  (): Promise<infer Client>;
  (callback: never): unknown;
}
  ? Client
  : Awaited<ReturnType<Pool['connect']>>;

/** How queries are cancelled and seen. */
export interface PgOptions {
  /**
   * `false` does not count queries as operations. For services whose queries are spans already
   * (`@opentelemetry/instrumentation-pg`), which would count each of them twice.
   */
  readonly track?: boolean;
  /** Milliseconds for one CancelRequest, from dialling to the server's close: 2,000 unless given. */
  readonly cancelTimeout?: number;
  /**
   * Milliseconds from the end of the context until a query that has not settled costs its connection: 5,000
   * unless given.
   */
  readonly grace?: number;
}
