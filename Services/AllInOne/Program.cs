// Everything in one process: what ./run starts. Marketplace.cs reads as the list of what happens.
return await LlmMarketplace.AllInOne.CommandLine.RunAsync(args);
