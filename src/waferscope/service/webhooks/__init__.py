"""Addresses that are told of events: a batch is done, a wafer is severe."""
