using LlmMarketplace.Gateway;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("gateway");
builder.AddGateway();
builder.AddBackingClients();
var app = builder.Build();
app.MapServiceDefaults();
app.MapGateway();
return await app.RunOrMigrateAsync(args);
