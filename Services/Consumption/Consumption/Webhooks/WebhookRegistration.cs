using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.ProviderNetwork;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>Webhooks: organisations are told their events at addresses of theirs. Where the management API runs, deliveries are sent.</summary>
internal static class WebhookRegistration
{
    public static void AddWebhooks(this WebApplicationBuilder builder)
    {
        builder.AddProviderNetwork();
        var services = builder.Services;
        services.AddOptions<WebhookOptions>().BindConfiguration("Webhooks").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(provider => new WebhookSecrets(provider.GetRequiredService<IOptions<KeySecrets>>().Value.ApiKeyHmacBytes));
        services.AddSingleton<SendWebhook>().AddSingleton<WebhookTelemetry>();
        services.AddHostedService<DeliverWebhooks>().AddHostedService<TidyDeliveries>();
    }

    public static void MapWebhooks(this WebApplication app)
    {
        var webhooks = app.MapGroup("/api/v1/webhooks").WithTags("Webhooks").RequireAuthorization()
            .RequireAuthorization(policy => policy.RequireClaim(MarketplaceTokens.RoleClaim, Roles.Consumer, Roles.Provider));
        CreateWebhook.Map(webhooks);
        ListWebhooks.Map(webhooks);
        GetWebhook.Map(webhooks);
        ChangeWebhook.Map(webhooks);
        DeleteWebhook.Map(webhooks);
        RotateWebhook.Map(webhooks);
        TestWebhook.Map(webhooks);
        ListDeliveries.Map(webhooks);
        Redeliver.Map(webhooks);
    }
}
