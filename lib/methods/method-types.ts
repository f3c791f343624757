import type { CacheChoice, SharedLoadOptions } from '../cache/decorated/options.js';
import type { Key } from '../keys/encode-key.js';
import type { KeyOf } from '../keys/typed-key.js';

type Method = (...args: any[]) => any;
type Maybe<T> = T | Promise<T>;

/** Options of `@Cacheable` on a provider's method. */
export interface CacheableMethodOptions extends CacheChoice, SharedLoadOptions {
  /**
   * A literal, a template of arguments such as `'user:{0.id}'`, or a function of the arguments. Where a value is missing, the
   * call rejects with `CacheKeyError`. Default: class, method and arguments.
   */
  key?: Key | ((...args: any[]) => Key);
  /**
   * Which arguments the default key is made of: their positions, `[0, 2]`, or a function that gives what counts. Default: all
   * of them.
   */
  args?: readonly number[] | ((...args: any[]) => readonly unknown[]);
  /**
   * The value goes when one of them is evicted: literals and templates such as `'country:{result.country}'`, or a function
   * that gets the arguments and the result.
   */
  tags?: string | readonly string[] | ((...argsAndResult: any[]) => readonly string[]);
  /** False: the method runs, and nothing is stored. */
  condition?: (...args: any[]) => Maybe<boolean>;
  /** True: this result is returned and not stored. */
  unless?: (result: any, ...args: any[]) => Maybe<boolean>;
}

/** Options of `@CachePut` on a provider's method: as `@Cacheable`, and the key may be made of the result, too. */
export interface CachePutMethodOptions extends Omit<
  CacheableMethodOptions,
  'key' | 'args' | 'force' | 'waitTimeout'
> {
  /**
   * As for `@Cacheable`; and `{result.id}`, and a function's last argument. A function with more parameters than the method
   * is asked when the result is there, any other one before.
   */
  key: Key | ((...argsAndResult: any[]) => Key);
}

/** Options of `@CacheEvict` on a provider's method: exactly one of `key`, `keys`, `tags`, `pattern` and `all`. */
export interface CacheEvictMethodOptions extends CacheChoice {
  /** As for `@Cacheable`; and `{result.id}`, and the result as a function's last argument, which may give several keys. */
  key?: Key | ((...argsAndResult: any[]) => Key | readonly Key[]);
  keys?:
    | readonly (Key | ((...argsAndResult: any[]) => Key))[]
    | ((...argsAndResult: any[]) => readonly Key[]);
  /** Everything stored with one of these tags, in no time. */
  tags?: string | readonly string[] | ((...argsAndResult: any[]) => readonly string[]);
  /** Every string key that matches, as for `CacheService.evictPattern`; a value that is put in is meant literally. */
  pattern?: string | ((...argsAndResult: any[]) => string);
  /** The whole namespace, without those nested in it. */
  all?: true;
  /** 'after': once the method has succeeded. 'before': whatever becomes of it. Default 'after'. */
  when?: 'after' | 'before';
  /**
   * Within a database transaction: evicts once that has committed, and not at all if it is rolled back. Default: true where the
   * module has the option `transaction`. With false at once.
   */
  afterCommit?: boolean;
  /** False: nothing is evicted. */
  condition?: (...argsAndResult: any[]) => Maybe<boolean>;
}

/** What the functions of an option may take, for a method with these parameters and this result. */
interface Shapes<Args extends unknown[], Result> {
  ofArgs: (...args: Args) => unknown;
  ofBoth: (...args: [...Args, Result]) => unknown;
  ofResult: (result: Result, ...args: Args) => unknown;
  /** A typed key says of which result. */
  keyOfArgs: (...args: Args) => KeyOf<Result>;
  keyOfBoth: (...args: [...Args, Result]) => KeyOf<Result>;
}

/** Which shape each option has. */
export type CachedShapes = {
  key: 'keyOfArgs';
  args: 'ofArgs';
  condition: 'ofArgs';
  tags: 'ofBoth';
  unless: 'ofResult';
};
export type PutShapes = Omit<CachedShapes, 'key'> & { key: 'keyOfBoth' };
export type EvictShapes = Record<
  'key' | 'keys' | 'tags' | 'pattern' | 'condition',
  'ofBoth' | 'ofArgs'
>;
export type LockShapes = Record<'key' | 'signal', 'ofArgs'>;

/** The functions of an option, which may be an array of them. */
type FunctionsOf<Option> = Extract<
  Option extends readonly unknown[] ? Option[number] : Option,
  Method
>;

/** What the functions of that option may look like. */
type Expected<Kind, M extends Method> = Shapes<Parameters<M>, Awaited<ReturnType<M>>>[Kind &
  keyof Shapes<[], unknown>];

/** The names of the options whose functions the method does not fit. */
type Misfits<Options, Kinds, M extends Method> = {
  // With M on the left as well: the compiler would otherwise decide before it knows which method that is.
  [Name in keyof Options & keyof Kinds]: [FunctionsOf<Options[Name]>, M] extends [
    Expected<Kinds[Name], M>,
    Method,
  ]
    ? never
    : Name;
}[keyof Options & keyof Kinds];

/** Nothing that a decorator may return, so that the compiler says which option it is. */
interface DoesNotFitTheMethod<Option> {
  readonly option: Option;
}

type Verdict<Misfit> = [Misfit] extends [never] ? void : DoesNotFitTheMethod<Misfit>;

/** What a decorator says of a method with a result that it cannot wait for. */
type ResultOf<M extends Method, Accepted> = [ReturnType<M>] extends [Accepted]
  ? never
  : 'no promise is returned';

/** A decorator for methods whose parameters and result its functions can take. Where they cannot, the error names the option. */
interface DecoratorFor<Options, Kinds, Result> {
  <M extends Method>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): Verdict<Misfits<Options, Kinds, M> | ResultOf<M, Result>>;
  /** As one of `applyDecorators`, where there is no method to compare with. */
  <T>(target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<T>): void;
}

/** For methods that return a promise. */
export type MethodDecoratorFor<Options, Kinds> = DecoratorFor<Options, Kinds, PromiseLike<any>>;

/** And for those that may have no result to wait for, as handlers of events do. */
export type HandlerDecoratorFor<Options, Kinds> = DecoratorFor<
  Options,
  Kinds,
  PromiseLike<any> | void
>;
