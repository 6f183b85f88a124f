using LlmMarketplace.Admin.Approvals;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmMarketplace.Admin;

/// <summary>START HERE. What the operator's people decide: the approval queue.</summary>
public static class AdminService
{
    /// <summary>Adds the service. Needs <c>ConnectionStrings:admin</c> and <c>Messaging:Transport</c>.</summary>
    public static WebApplicationBuilder AddAdmin(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddServiceDatabase<AdminDb>(AdminEvents.Producer);
        builder.AddMessaging<AdminDb>(AdminEvents.Producer)
            .Publishes<ApprovalDecided>(AdminEvents.Approvals, AdminEvents.ApprovalDecided)
            .Consumes<ListingChanged, ApplyListingChanged>(PublishingEvents.Producer, PublishingEvents.Services, PublishingEvents.ListingChanged);

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddValidation();
        builder.Services.AddOptions<ApprovalOptions>().BindConfiguration(ApprovalOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<ApprovalTelemetry>();
        builder.Services.AddHostedService<ApprovalWatch>();
        return builder;
    }

    /// <summary>Maps <c>/api/v1/approvals</c> and the service's events.</summary>
    public static WebApplication MapAdmin(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var approvals = app.MapGroup("/api/v1/approvals")
            .RequireAuthorization()
            .RequireAuthorization(policy => policy.RequireClaim(MarketplaceTokens.RoleClaim, Roles.Approver, Roles.Admin, Roles.Auditor))
            .WithTags("Approvals");
        ListApprovals.Map(approvals);
        GetApproval.Map(approvals);
        DecideApproval.Map(approvals);

        app.MapMessaging();
        return app;
    }
}
