/**
 * The Standard Schema interface, copied as its specification invites: zod, valibot, arktype and many others implement
 * it, so a contract takes any of them and depends on none.
 * @see https://standardschema.dev
 */
export interface Schema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What validation found: a value, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One mistake, as a schema reports it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema accepts: the type on the sender's side. */
export type InputOf<S> = S extends Schema<infer Input, unknown> ? Input : never

/** What a schema yields: the type on the receiver's side. */
export type OutputOf<S> = S extends Schema<infer _Input, infer Output> ? Output : never
