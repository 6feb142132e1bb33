EXISTS TABLE migrations
