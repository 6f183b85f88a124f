using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Approvals;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Organisations;
using LlmMarketplace.Publishing.Pipeline;
using LlmMarketplace.Publishing.Validation;
using LlmMarketplace.Publishing.Versions;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Publishing;

/// <summary>START HERE. Listings, their versions, and the pipeline that publishes them.</summary>
public static class PublishingService
{
    /// <summary>Adds the service. Needs <c>ConnectionStrings:publishing</c>, <c>Keys:ProviderSecrets</c> and <c>Messaging:Transport</c>.</summary>
    public static WebApplicationBuilder AddPublishing(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddServiceDatabase<PublishingDb>(PublishingEvents.Producer);
        builder.AddMessaging<PublishingDb>(PublishingEvents.Producer)
            .Publishes<ListingChanged>(PublishingEvents.Services, PublishingEvents.ListingChanged)
            .Publishes<OpenApiDocumentPublished>(PublishingEvents.OpenApiDocuments, PublishingEvents.OpenApiDocumentPublished)
            .Consumes<OrganisationChanged, ApplyOrganisationChanged>(IdentityEvents.Producer, IdentityEvents.Organisations, IdentityEvents.OrganisationChanged)
            .Consumes<ApprovalDecided, ApplyApprovalDecided>(AdminEvents.Producer, AdminEvents.Approvals, AdminEvents.ApprovalDecided);
        builder.AddProviderNetwork();

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddValidation();
        builder.Services.AddSecrets().AddSpecificationRules().AddPipeline();
        builder.Services.AddScoped<ListingDesk>().AddScoped<VersionDesk>().AddScoped<CredentialDesk>();
        builder.Services.AddHostedService<SunsetWatch>().AddHostedService<TellDocuments>();
        return builder;
    }

    /// <summary>Maps <c>/api/v1/listings</c>, <c>/api/v1/pipeline-runs</c> and the service's events.</summary>
    public static WebApplication MapPublishing(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var listings = app.MapGroup("/api/v1/listings").ForProvidersAndOperators("Listings");
        CreateListing.Map(listings);
        ListListings.Map(listings);
        GetListing.Map(listings);
        ChangeVisibility.Map(listings);
        SuspendListing.Map(listings);
        CreateVersion.Map(listings);
        GetVersion.Map(listings);
        ReplaceVersion.Map(listings);
        ValidateVersion.Map(listings);
        SubmitVersion.Map(listings);
        WithdrawVersion.Map(listings);
        DeprecateVersion.Map(listings);
        SuspendVersion.Map(listings);
        RetireVersion.Map(listings);
        RotateSecret.Map(listings);
        PutCredential.Map(listings);
        RemoveCredential.Map(listings);

        var runs = app.MapGroup("/api/v1/pipeline-runs").ForProvidersAndOperators("Pipeline runs");
        GetRun.Map(runs);
        FollowRun.Map(runs);

        app.MapMessaging();
        return app;
    }

    private static RouteGroupBuilder ForProvidersAndOperators(this RouteGroupBuilder group, string tag) => group
        .RequireAuthorization()
        .RequireAuthorization(policy => policy.RequireClaim(MarketplaceTokens.RoleClaim, Roles.Provider, Roles.Admin, Roles.Auditor))
        .WithTags(tag);

    private static IServiceCollection AddSecrets(this IServiceCollection services)
    {
        services.AddOptions<ProviderSecretOptions>().BindConfiguration("Keys").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(provider => new ProviderSecretProtector(Convert.FromBase64String(provider.GetRequiredService<IOptions<ProviderSecretOptions>>().Value.ProviderSecrets!)));
        services.AddHostedService<ProviderSecretsCheck>();
        return services;
    }

    /// <summary>The rules, in the order in which their issues are reported.</summary>
    private static IServiceCollection AddSpecificationRules(this IServiceCollection services) => services
        .AddSingleton<ISpecificationRule, SizeRule>()
        .AddSingleton<ISpecificationRule, KnownMembersRule>()
        .AddSingleton<ISpecificationRule, VersionRule>()
        .AddSingleton<CredentialFormats>()
        .AddSingleton<ISpecificationRule, EndpointRule>()
        .AddSingleton<ISpecificationRule, PricingRule>()
        .AddSingleton<ISpecificationRule, ComplianceRule>()
        .AddSingleton<ISpecificationRule, OpenApiRule>()
        .AddSingleton<ISpecificationRule, ParameterSchemaRule>()
        .AddSingleton<SpecificationValidator>();
}
