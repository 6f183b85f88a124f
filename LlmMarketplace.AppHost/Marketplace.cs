namespace LlmMarketplace.AppHost;

/// <summary>
/// What every service gets, by the configuration keys that are the same in all ways of running:
/// <code>
/// ConnectionStrings:{service}         its database, as a role that may only read and write rows
/// ConnectionStrings:{service}-owner   the same as its owner; only for {service}-migrate
/// Identity:Issuer                     the public address; every service pins it
/// Identity:Client:Id, :Secret         who it is when it calls another service
/// Messaging:Transport                 Kafka
/// </code>
/// </summary>
internal sealed class Marketplace(
    IDistributedApplicationBuilder builder,
    IResourceBuilder<PostgresServerResource> postgres,
    ReferenceExpression publicAddress,
    IReadOnlyList<string> services)
{
    private const int PoolSize = 40;

    private readonly Dictionary<string, IResourceBuilder<ConnectionStringResource>> databases = [];

    /// <summary>The secret by which each service proves itself to Identity.</summary>
    public IReadOnlyDictionary<string, IResourceBuilder<ParameterResource>> ClientSecrets { get; } =
        services.ToDictionary(service => service, service => builder.AddSecret($"{service}-client-secret"));

    /// <summary>Issuer of tokens.</summary>
    public ReferenceExpression PublicAddress => publicAddress;

    /// <summary>A service's database, as its DML-only role.</summary>
    public IResourceBuilder<ConnectionStringResource> Database(string service) => databases[service];

    /// <summary>
    /// Adds a service, its database, and the run of the same host that migrates it first.
    /// </summary>
    /// <param name="name">The service's name: its resource, database and connection string.</param>
    /// <param name="configure">What this service needs besides; the migration is the same program and gets the same.</param>
    public IResourceBuilder<ProjectResource> AddService<THost>(string name, Func<IResourceBuilder<ProjectResource>, IResourceBuilder<ProjectResource>> configure)
        where THost : IProjectMetadata, new()
    {
        var owner = postgres.AddDatabase($"{name}-owner", databaseName: name);
        var database = databases[name] = AddDatabaseRole(name);

        var migration = builder.AddProject<THost>($"{name}-migrate", launchProfileName: null)
            .WithArgs("--migrate")
            .WithServiceSettings(name, this)
            .WithReference(database, name)
            .WithReference(owner)
            .WaitFor(owner);
        configure(migration);

        var service = builder.AddProject<THost>(name, launchProfileName: null)
            .WithHttpEndpoint()
            .WithServiceSettings(name, this)
            .WithReference(database, name)
            .WaitForCompletion(migration);
        return configure(service).WithHttpHealthCheck("/health/ready");
    }

    // The migration creates the role from this connection string, so name and password are decided here.
    private IResourceBuilder<ConnectionStringResource> AddDatabaseRole(string service)
    {
        var server = postgres.Resource.PrimaryEndpoint;
        var password = builder.AddSecret($"{service}-database-password");
        return builder.AddConnectionString($"{service}-database", ReferenceExpression.Create(
            $"Host={server.Property(EndpointProperty.Host)};Port={server.Property(EndpointProperty.Port)};Database={service};Username={service}_app;Password={password};Maximum Pool Size={PoolSize.ToString(System.Globalization.CultureInfo.InvariantCulture)}"));
    }
}
