import { types } from 'node:util';
import { CacheSerializationError } from '../common/errors.js';
import type { Rule } from '../common/option-checks.js';

/** A schema of any library that follows Standard Schema (standardschema.dev), version 1: Zod, Valibot, ArkType and others. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/** The value as the schema gives it, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export const aSchema: Rule = {
  accepted: 'a schema that follows Standard Schema (an object with ~standard), version 1',
  ok: (v) => {
    if ((typeof v !== 'object' && typeof v !== 'function') || v === null) return false;
    const standard = (v as Partial<StandardSchema>)['~standard'];
    return standard?.version === 1 && typeof standard.validate === 'function';
  },
};

/** What the schema makes of a value. Rejects with `CacheSerializationError`, which has nothing of the value in it. */
export async function parsed(schema: StandardSchema, value: unknown): Promise<unknown> {
  const standard = schema['~standard'];
  const { vendor } = standard;
  let result: SchemaResult<unknown>;
  try {
    result = await standard.validate(value);
  } catch (error) {
    const name = types.isNativeError(error) ? error.name : typeof error;
    throw new CacheSerializationError(`The schema (${vendor}) threw ${name}`);
  }
  if (!result.issues) return result.value;
  const { length } = result.issues;
  throw new CacheSerializationError(
    `The value does not match the schema of the call (${vendor}: ${length} ${length === 1 ? 'issue' : 'issues'})`,
  );
}
