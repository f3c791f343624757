import { Module } from '@nestjs/common';
import { CitiesController } from './cities.controller.js';
import { CitiesService } from './cities.service.js';
import { CityUpdatedListener } from './city-updated.listener.js';

@Module({
  controllers: [CitiesController],
  providers: [CitiesService, CityUpdatedListener],
})
export class CitiesModule {}
