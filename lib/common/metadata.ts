import 'reflect-metadata';

/**
 * One kind of note that decorators leave on a method or a class, and that interceptors and wraps find there: their only
 * meeting point. The name is the same for two installed copies of the package.
 */
export class Metadata<T> {
  private readonly key: symbol;

  constructor(name: string) {
    this.key = Symbol.for(`nestjs-redis-cache.metadata:${name}`);
  }

  set(target: object, value: T): void {
    Reflect.defineMetadata(this.key, value, target);
  }

  get(target: object): T | undefined {
    return Reflect.getMetadata(this.key, target) as T | undefined;
  }
}
