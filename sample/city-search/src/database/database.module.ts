import { Global, Module } from '@nestjs/common';
import { Settings } from '../settings.js';
import { Database } from './database.js';
import { loadingProgress } from './loading-progress.js';

@Global()
@Module({
  providers: [
    {
      provide: Database,
      inject: [Settings],
      useFactory: ({ dataDirectory }: Settings) => Database.share(dataDirectory, loadingProgress()),
    },
  ],
  exports: [Database],
})
export class DatabaseModule {}
