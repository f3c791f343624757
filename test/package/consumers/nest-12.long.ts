import { ALL_PROGRAMS, describeConsumers, WITHOUT_OPTIONAL_PEERS } from './describe-consumers.js';

const PACKAGES = {
  '@nestjs/common': '12.5.1',
  '@nestjs/core': '12.5.1',
  '@nestjs/platform-express': '12.5.1',
  '@types/node': '20.19.25',
  'class-transformer': '0.5.1',
  'class-validator': '0.15.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  typescript: '6.0.3',
};

const OPTIONAL = { '@nestjs/terminus': '12.1.0', 'sql.js': '1.16.0', typeorm: '1.1.1' };

describeConsumers([
  {
    title: 'Nest 12, ioredis 6, Terminus 12, TypeORM 1',
    packages: { ...PACKAGES, ...OPTIONAL, ioredis: '6.0.0' },
    programs: ALL_PROGRAMS,
    compilers: ['nodenext', 'node16', 'bundler'],
  },
  {
    title: 'Nest 12, ioredis 5.11',
    packages: { ...PACKAGES, ioredis: '5.11.1' },
    programs: WITHOUT_OPTIONAL_PEERS,
    compilers: ['nodenext'],
  },
]);
