using LlmMarketplace.LocalProvider;
using Microsoft.Extensions.Options;

var app = LocalProviderApp.Build(WebApplication.CreateBuilder(args));
try
{
    await app.RunAsync();
    return 0;
}
catch (OptionsValidationException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
