using LlmMarketplace.Admin;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("admin");
builder.AddAdmin();
builder.AddBackingClients();
var app = builder.Build();
app.MapServiceDefaults();
app.MapAdmin();
return await app.RunOrMigrateAsync(args);
