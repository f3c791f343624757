import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { CacheOptionsError } from '../common/errors.js';
import type { TransactionAdapter } from '../common/transaction.js';

type Act = () => Promise<void>;
type Work<T> = (manager: EntityManager) => Promise<T>;

/**
 * The transactions of these data sources, for the module's option `transaction`. They have to be initialized, as those that
 * `@nestjs/typeorm` injects are.
 *
 * @publicApi
 */
export function typeOrmTransactions(...dataSources: DataSource[]): TypeOrmTransactions {
  const transactions = new TypeOrmTransactions();
  for (const dataSource of dataSources) transactions.follow(dataSource);
  return transactions;
}

/**
 * Which transaction code runs in is known by the async context of the function that `transaction(…)` was given; whether it has committed,
 * by the events that TypeORM tells its subscribers. Of transactions within each other over several connections, the innermost counts.
 *
 * @publicApi
 */
export class TypeOrmTransactions implements TransactionAdapter {
  private readonly current = new AsyncLocalStorage<QueryRunner>();
  /** What is due after each transaction that is open, the outermost first; the others are its savepoints. */
  private readonly levels = new WeakMap<QueryRunner, Act[][]>();

  isActive(): boolean {
    return this.levelsOf(this.current.getStore()).length > 0;
  }

  afterCommit(act: Act): void {
    this.levelsOf(this.current.getStore()).at(-1)?.push(act);
  }

  /**
   * What `work` does belongs to the transaction of this query runner: for transactions that are begun by `startTransaction()`. Those
   * begun by `dataSource.transaction(…)` or `manager.transaction(…)` are known by themselves.
   */
  within<T>(queryRunner: QueryRunner, work: () => T): T {
    return this.current.run(queryRunner, work);
  }

  /** Throws `CacheOptionsError` for a data source that is not initialized: its subscribers would be replaced. */
  follow(dataSource: DataSource): void {
    if (!dataSource.isInitialized) throw notInitialized();
    const listen = (): unknown =>
      dataSource.subscribers.push({
        afterTransactionStart: ({ queryRunner }) => this.begin(queryRunner),
        afterTransactionCommit: ({ queryRunner }) => this.commit(queryRunner),
        afterTransactionRollback: ({ queryRunner }) => void this.levelsOf(queryRunner).pop(),
      });
    listen();
    // One that was destroyed has other subscribers afterwards.
    const initialize = dataSource.initialize.bind(dataSource);
    dataSource.initialize = async () => {
      const initialized = await initialize();
      listen();
      return initialized;
    };
    this.wrap(dataSource.manager);
    const create = dataSource.createEntityManager.bind(dataSource);
    dataSource.createEntityManager = (queryRunner) => this.wrap(create(queryRunner));
  }

  private begin(queryRunner: QueryRunner): void {
    const levels = this.levelsOf(queryRunner);
    levels.push([]);
    this.levels.set(queryRunner, levels);
  }

  /** What a savepoint has due is due with the transaction around it. */
  private async commit(queryRunner: QueryRunner): Promise<void> {
    const levels = this.levelsOf(queryRunner);
    const due = levels.pop() ?? [];
    const outer = levels.at(-1);
    if (outer) outer.push(...due);
    else await Promise.all(due.map((act) => act()));
  }

  private wrap(manager: EntityManager): EntityManager {
    const transaction = manager.transaction.bind(manager) as (...args: any[]) => Promise<unknown>;
    // The isolation level may come first, or undefined last.
    manager.transaction = (...args: any[]): Promise<any> => {
      const at = args.findIndex((arg) => typeof arg === 'function');
      if (at < 0) return transaction(...args);
      const work = args[at] as Work<unknown>;
      return this.followed(work, (followed) => transaction(...args.with(at, followed)));
    };
    return manager;
  }

  private async followed<T>(work: Work<T>, run: (work: Work<T>) => Promise<T>): Promise<T> {
    let runner: QueryRunner | undefined;
    let level: Act[] | undefined;
    try {
      return await run((manager) => {
        runner = manager.queryRunner!;
        level = this.levelsOf(runner).at(-1);
        return this.within(runner, () => work(manager));
      });
    } finally {
      // Neither COMMIT nor ROLLBACK has been answered. Nobody knows what has become of it, and an evict too many does no harm.
      const levels = this.levelsOf(runner);
      const left = level && levels.includes(level) ? levels.splice(levels.indexOf(level)) : [];
      await Promise.all(left.flat().map((act) => act()));
    }
  }

  private levelsOf(queryRunner: QueryRunner | undefined): Act[][] {
    return (queryRunner && this.levels.get(queryRunner)) ?? [];
  }
}

function notInitialized(): CacheOptionsError {
  const accepted = 'one that is initialized: inject it, or await dataSource.initialize()';
  const given = 'a DataSource that is not initialized';
  return new CacheOptionsError('typeOrmTransactions', [{ path: 'dataSource', given, accepted }]);
}
