using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Clients;
using LlmMarketplace.Identity.Organisations;
using LlmMarketplace.Identity.SignIn;
using LlmMarketplace.Identity.Start;
using LlmMarketplace.Identity.Tokens;
using LlmMarketplace.Identity.Users;
using LlmMarketplace.Messaging;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Hosting;

namespace LlmMarketplace.Identity;

/// <summary>START HERE. Organisations, people, machine clients, and the tokens that name them.</summary>
public static class IdentityService
{
    /// <summary>Adds the service to an application that has the service defaults.</summary>
    public static WebApplicationBuilder AddIdentity(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddServiceDatabase<IdentityDb>(IdentityEvents.Producer, IdentityDb.Configure);
        builder.AddMessaging<IdentityDb>(IdentityEvents.Producer)
            .Publishes<OrganisationChanged>(IdentityEvents.Organisations, IdentityEvents.OrganisationChanged);

        IssuerOptions.Validate(builder.Services.AddOptions<IssuerOptions>().BindConfiguration("Identity"));
        builder.Services.AddSingleton<IStartupFilter, PublicAddress>();
        builder.Services.AddRateLimits();
        builder.Services.AddSingleton<IdentityMetrics>();
        builder.Services.AddScoped<Caller>();

        builder.AddSignIn();
        builder.AddTokenServer();
        builder.Services.AddScoped<ConfiguredClients>();
        builder.Services.AddScoped<FirstData>();
        builder.Services.AddHostedService<FirstDataAtStart>();
        return builder;
    }

    /// <summary>Maps the sign-in pages, the token server and the management API.</summary>
    public static WebApplication MapIdentity(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapSignIn();
        app.MapTokenServer();
        app.MapOrganisations();
        app.MapUsers();
        app.MapClients();
        app.MapMessaging();
        return app;
    }
}
