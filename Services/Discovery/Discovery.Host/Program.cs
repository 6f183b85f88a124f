using LlmMarketplace.Discovery;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults(DiscoveryService.Name);
builder.AddDiscovery();
builder.AddBackingClients();
var app = builder.Build();
app.MapServiceDefaults();
app.MapDiscovery();
return await app.RunOrMigrateAsync(args);
