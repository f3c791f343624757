import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  type InjectionToken,
  type ModuleMetadata,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
} from '@nestjs/common';

import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import { DEFAULT_CACHE } from '../common/tokens.js';
import { describeValue } from './describe-value.js';
import { fieldsOf, isObject } from './given-fields.js';
import { cacheProviders, describeCache, exportedTokens, GIVEN_OPTIONS } from './providers.js';
import { RedisCacheOptions } from './redis-cache.options.js';

/** What is said about a cache where it is registered, and not by a factory: Nest needs it before any factory runs. */
export interface CacheRegistration {
  /** A second, separate cache, injected with `@InjectCache(name)`. Without it: the one that is `CacheService`. */
  name?: string;
  /**
   * Whether every module can inject the cache without importing this one.
   * @default true
   */
  isGlobal?: boolean;
}

/** A class for `useClass` or `useExisting` of `forRootAsync`. */
export interface RedisCacheOptionsFactory {
  createCacheOptions(): RedisCacheOptions | Promise<RedisCacheOptions>;
}

/** Exactly one of `useFactory`, `useClass` and `useExisting` says where the options come from. */
export interface RedisCacheAsyncOptions extends CacheRegistration, Pick<ModuleMetadata, 'imports'> {
  /** Its parameters are of any type, because TypeScript cannot relate them to `inject`. */
  useFactory?:
    ((...dependencies: any[]) => RedisCacheOptions | Promise<RedisCacheOptions>) | undefined;
  inject?: (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Instantiated by the module itself. */
  useClass?: Type<RedisCacheOptionsFactory> | undefined;
  /** The class of a provider of `imports`, or of a global module. */
  useExisting?: Type<RedisCacheOptionsFactory> | undefined;
  /** Providers that only the factory, or the class, needs. */
  extraProviders?: Provider[] | undefined;
}

const FORMS = ['useFactory', 'useClass', 'useExisting'] as const;
const ASYNC_FIELDS = new Set<string>([
  ...FORMS,
  'inject',
  'imports',
  'extraProviders',
  'name',
  'isGlobal',
]);

export const { ConfigurableModuleClass } =
  // Transient: two registrations with equal options are two caches also where Nest tells modules apart by content.
  new ConfigurableModuleBuilder<RedisCacheOptions>({
    optionsInjectionToken: GIVEN_OPTIONS,
    alwaysTransient: true,
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createCacheOptions')
    .setExtras<CacheRegistration>({ name: DEFAULT_CACHE, isGlobal: true }, register)
    .build();

function register(definition: DynamicModule, registration: CacheRegistration): DynamicModule {
  const { name = DEFAULT_CACHE, isGlobal = true } = registration;
  const problems: OptionProblem[] = [];
  if (typeof name !== 'string' || name === '')
    problems.push({ path: 'name', given: describeValue(name), accepted: 'a text, not empty' });
  if (typeof isGlobal !== 'boolean')
    problems.push({ path: 'isGlobal', given: describeValue(isGlobal), accepted: 'true or false' });
  if (problems.length > 0) throw new CacheOptionsError('RedisCacheModule', problems);
  return {
    ...definition,
    global: isGlobal,
    providers: [...(definition.providers ?? []), ...cacheProviders(name, { isGlobal })],
    exports: exportedTokens(name),
  };
}

const KNOWN = {
  forRoot: new Set([...Object.keys(new RedisCacheOptions()), 'name', 'isGlobal']),
  forRootAsync: ASYNC_FIELDS,
};

/**
 * A plain object, because Nest looks at own fields alone, where a class may have getters.
 *
 * @throws CacheOptionsError for anything but an object: spread into the options a text would be a field for each of its letters
 */
export function plainOptions<Options extends object>(
  options: Options,
  method: 'forRoot' | 'forRootAsync',
): Options {
  if (isObject(options)) return fieldsOf(options, KNOWN[method]) as Options;
  const accepted = method === 'forRoot' ? 'an object; {} takes every default' : 'an object';
  throw new CacheOptionsError(`RedisCacheModule.${method}`, [
    { path: 'options', given: describeValue(options), accepted },
  ]);
}

/** @throws CacheOptionsError unless there is exactly one source of options, and nothing beside it that nobody reads */
export function checkAsyncOptions(options: RedisCacheAsyncOptions): void {
  const forms = FORMS.filter((form) => options[form] !== undefined);
  const problems: OptionProblem[] = Object.entries(options)
    .filter(([field]) => !ASYNC_FIELDS.has(field))
    .map(([field, value]) => ({
      path: field,
      given: describeValue(value, field),
      accepted: 'nothing: options are what the factory returns',
    }));
  if (forms.length !== 1)
    problems.push({
      path: 'forRootAsync',
      given: forms.join(' and ') || 'none of useFactory, useClass and useExisting',
      accepted: 'exactly one of useFactory, useClass and useExisting',
    });
  for (const form of forms)
    if (typeof options[form] !== 'function')
      problems.push({
        path: form,
        given: describeValue(options[form]),
        accepted: form === 'useFactory' ? 'a function' : 'a class',
      });
  if (problems.length > 0)
    throw new CacheOptionsError(describeCache(options.name ?? DEFAULT_CACHE), problems);
}

/** Their factory in place of the class, because Nest calls the method whether there is one or not. It may well be a field of the instance. */
export function withFactory({
  useClass,
  useExisting,
  ...source
}: RedisCacheAsyncOptions): RedisCacheAsyncOptions {
  const from = useClass ?? useExisting;
  if (!from) return source;
  const { name = DEFAULT_CACHE, extraProviders = [] } = source;
  return {
    ...source,
    inject: [from],
    useFactory: (factory: Partial<RedisCacheOptionsFactory> | undefined) => {
      if (typeof factory?.createCacheOptions === 'function') return factory.createCacheOptions();
      const problem = {
        path: useClass ? 'useClass' : 'useExisting',
        given: `${from.name}, which has no such method`,
        accepted: 'a class with the method createCacheOptions()',
      };
      throw new CacheOptionsError(describeCache(name), [problem]);
    },
    extraProviders: useClass ? [useClass, ...extraProviders] : extraProviders,
  };
}
