export { typeOrmTransactions, TypeOrmTransactions } from './typeorm-transactions.js';
