using LlmMarketplace.Identity;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("identity");
builder.AddIdentity();
builder.AddBackingClients();
var app = builder.Build();
app.MapServiceDefaults();
app.MapIdentity();
return await app.RunOrMigrateAsync(args);
